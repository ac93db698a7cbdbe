"""A one-node Kubernetes of plain processes, for Linux machines where no container engine answers.

Everything it makes carries a name, folder, address range or environment mark of its own, so that tearing down
can find all of it, also after a cut-off run, and can never take anything that belongs to somebody else.
"""
