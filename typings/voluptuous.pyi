# Home Assistant answers an import of voluptuous with probatio; so do the types.
from probatio import *  # noqa: F403
