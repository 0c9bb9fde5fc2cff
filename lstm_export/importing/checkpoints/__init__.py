"""What torch.save and pickle.dump leave behind: containers, tensors, and the tree around them."""
