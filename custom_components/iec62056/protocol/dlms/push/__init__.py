"""DLMS/COSEM telegrams that a meter sends unasked through its customer interface."""
