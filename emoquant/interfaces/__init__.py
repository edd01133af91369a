"""What tasks may ask of data modules: protocols, and the data module of a trainer as one of them."""
