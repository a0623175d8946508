"""Models that predict a spectrum from a site's features, and the checkpoints that hold them.

`training_settings` what can be chosen and the paper's choices · `model_kinds` what every trained model offers ·
`subset_data` reads a subset of the dataset file · `kernel_ridge` and `simple_models` (linear regression and trees).

`network/`: `expert` one model per subset · `universal` one over all subsets of a level of theory · `tuned` one per
subset that goes on from a universal one: what the workflow calls · `fit` from a dataset to a model on disk · `train`
the loop · `training_state` a training under way · `resume` its state on disk · `range_test` finds the learning rate ·
`perceptron` the network · `seeds` several of them side by side · `backpropagation` and `adam` a step ·
`scaling` units of the network's input and output · `reduction` wide descriptors' principal components · `checkpoint` a
trained model on disk · `training_curves` figure and table.

`delta/`: models that learn the difference to a cheaper theory. `search/`: the best settings of a model: `space` what
may be chosen, `study` the trials on disk, `results` table and figure, `settings_file` the settings as a configuration
names them.

PyTorch is imported by the modules that compute with it, not by this package.
"""
