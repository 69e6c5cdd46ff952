"""出域审核: the egress request, the six review points, who may decide. Pure."""
