"""What `vecinity evaluate` measures of word vectors, and how it shows it."""
