"""The system's side of the link as circuits; their golden model is `models.link`."""
