"""What visitors leave: pictures by consent, and remarks."""
