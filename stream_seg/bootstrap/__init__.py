"""The only room that names adapters: what a command asks for, wired to the servers that a configuration names."""
