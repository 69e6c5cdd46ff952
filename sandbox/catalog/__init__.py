"""公共数据资源目录: what data there is, how each field is graded, what may be authorised. Pure."""
