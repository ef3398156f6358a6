"""The vpin command: the embedded run, the services, administration, benchmark."""
