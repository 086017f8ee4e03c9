"""Mode E: HDLC frames and DLMS/COSEM behind them.

Never here: modes A to D (ascii), Home Assistant.
"""
