"""Delta models: they learn the difference between an expensive level of theory and a cheap one."""
