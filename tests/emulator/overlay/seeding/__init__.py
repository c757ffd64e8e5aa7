"""Parts of `overlay.seed`: the description, the clients, the hub and the sites of members."""
