"""What operators do by command: agreements with peers, a cloud's keys, questions to the audit."""
