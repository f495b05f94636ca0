"""Who may do what: accounts, tokens, passwords, and the record of who did what."""
