"""HTTP: the pin API, its documentation, health."""
