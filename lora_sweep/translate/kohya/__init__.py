"""TOML files of sd-scripts' SDXL network training, as people and as its GUIs write them."""
