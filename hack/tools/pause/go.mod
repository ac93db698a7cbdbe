module agentrollouts.io/hack/tools/pause

go 1.24.0
