// Authors of plugins import one module: the JSON codec and the operations come with it.
@_exported public import HostOperations
@_exported public import JSON
