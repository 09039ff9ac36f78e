"""What every part rests on: errors, settings, devices, provenance."""
