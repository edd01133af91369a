"""A local page to try codecs and a voice on one's own speech; needs the extra ``app``."""
