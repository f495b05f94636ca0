"""Every request: who asks, through which proxies, how much, how fast."""
