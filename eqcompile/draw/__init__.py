"""From a tying to what people look at: words, text, SVG, HTML, DOT, JSON, the derivation."""
