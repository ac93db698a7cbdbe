{{- /* Of the sidecar and of the init container that writes the first files. Arguments: root, folder. */}}
{{- define "agent-rollouts.xdsEnv" -}}
- name: XDS_DIR
  value: {{ .folder }}
- name: WATCH_NAMESPACES
  value: {{ join "," .root.Values.watchNamespaces | quote }}
- name: ACCESS_LOG
  value: {{ .root.Values.router.accessLog | quote }}
- name: SHADOWS
  value: {{ .root.Values.router.shadows | quote }}
- name: ENVOY_MAX_HEAP_MIB
  value: {{ .root.Values.router.envoy.maxHeapMiB | quote }}
{{- end }}
