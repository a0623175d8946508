"""Delta models: what an expensive level of theory has beyond a cheap one."""
