"""What turns pictures, and for CLIP texts, into vectors: one interface over several models."""
