"""How the embedded base is built from nothing: corpus, tokenizer, VAE, CLIP, UNet, measures, card."""
