"""The intermediate representation: models, operators, sizes, and what holds for them."""
