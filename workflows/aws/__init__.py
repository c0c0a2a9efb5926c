"""Operations as AWS's own calls: the same code talks to AWS and to this machine's server."""
