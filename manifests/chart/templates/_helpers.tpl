{{- /* The image of a program: its digest, else its tag, else the version of the chart. */ -}}
{{- define "sluice.image" -}}
{{- $image := index .root.Values.images .name -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* The one configuration file, as the programs read it. */ -}}
{{- define "sluice.config" -}}
# docs/configuration.md describes every field; what is not set has its default.
{{ toYaml .Values.config }}
{{- end }}

{{- /* The metadata of an object that only the chart has. */ -}}
{{- define "sluice.labels" -}}
app.kubernetes.io/part-of: sluice
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
