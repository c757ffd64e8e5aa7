"""Tests of the overlay itself, one for each patch and control, over HTTP against a server of their own."""
