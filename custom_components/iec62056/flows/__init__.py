"""Steps of the config, options, reauth and reconfigure flows, and their fields."""
