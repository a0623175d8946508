"""Models that predict a spectrum from a site's features, and the checkpoints that hold them.

`settings` what can be chosen and the paper's choices · `data` reads a subset of the dataset file · `scaling` units of
the network's input and output · `reduction` wide descriptors' principal components · `network` the MLP · `range_test`
finds the learning rate · `training` the loop · `checkpoint` a trained model on disk · `curves` the training's figure
and table · `fit` from a dataset to a model on disk, whatever its kind · `expert` one model per subset · `universal`
one over all subsets of a level of theory · `tuned` one per subset that goes on from a universal one: what the workflow
calls · `members` the seeds of a model side by side · `run` a training under way · `resume` its state on disk ·
`simple_models` linear regression and trees · `search` the best settings of a model: `search_space` what may be chosen,
`search_study` the trials on disk, `search_results` table and figure, `search_file` the settings as a configuration
names them.

PyTorch is imported by the modules that compute with it, not by this package.
"""
