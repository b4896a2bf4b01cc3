"""What each path of the control plane answers: one file a resource, `routes` names them all."""
