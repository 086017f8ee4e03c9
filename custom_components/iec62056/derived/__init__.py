"""What follows from the registers: net and mean power, totals, peaks, current tariff, clock and status."""
