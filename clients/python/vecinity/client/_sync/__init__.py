"""The blocking client, generated from `vecinity.client._async`."""
