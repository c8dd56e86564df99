"""The rate of all sound here, which is what recognisers take: known before what decodes sound is imported."""

RATE_HZ = 16_000
