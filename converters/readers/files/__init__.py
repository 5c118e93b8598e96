"""The forms in which files hold bytes and text, whatever framework wrote them."""
