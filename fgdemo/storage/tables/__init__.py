"""Tables as people and programs write them: which column is what, and where the pictures lie."""
