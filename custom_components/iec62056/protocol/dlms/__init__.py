"""Mode E: HDLC frames and DLMS/COSEM."""
