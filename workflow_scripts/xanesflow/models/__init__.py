"""Stage 7: models that predict a spectrum from a site's features, and the checkpoints that hold them.

`model_kinds`: what every trained model offers. `subset_data`: reads a subset of the dataset file. `kernel_ridge`:
kernel regression. `simple_models`: linear regression and trees.

`network/`: the paper's networks: experts (one for each subset), universal ones (one for all subsets of a level of
theory) and tuned ones (one for each subset, which starts from a universal model). `fit.train_model` leads from a
dataset to a model on disk. `train` is the training loop, `training_state` a training in progress, `resume` its state
on disk. `range_test` finds the learning rate. `perceptron` is the network. `scaling` sets the units of its input and
output.
`reduction` replaces wide descriptors by their principal components. `checkpoint` is a trained model on disk.
`training_curves` writes the figure and the table of a training.

`delta/`: models that learn the difference to a cheaper theory. `search/`: a search for the best settings of a model.
The settings themselves are in `config.training_settings`, `config.search_space` and `config.settings_file`.

Only the modules that compute with PyTorch import it; this package does not.
"""
