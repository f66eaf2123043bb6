//! Recipes: the subset of TOSCA that XOS reads.
