"""The paper's networks: expert, universal and tuned models, and how they are trained."""
