"""The AWS emulator of the tests: moto's server in one process, with declared patches over its gaps and controls."""
