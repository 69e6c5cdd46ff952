"""整改、暂停、终止、退出: rectification orders; the exit itself is in the agreement's table. Pure."""
