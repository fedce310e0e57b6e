//! Plans by what the leader sees; how they are carried out is in the golden scripts.
