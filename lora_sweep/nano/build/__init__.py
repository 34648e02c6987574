"""Building the embedded base from nothing: corpus, tokenizer, VAE, CLIP, UNet, measures, card."""
