"""Pictures of an audit as SVG: the one home of what the page, notebooks and docs draw."""
