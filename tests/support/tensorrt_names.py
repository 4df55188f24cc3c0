"""The names of TensorRT's Python API in three releases, as far as echo-rt touches its classes.

Read with ``dir()`` from the modules in NVIDIA's own wheels of the bindings: tensorrt-bindings 8.6.1,
tensorrt-cu12-bindings 10.16.1.11 and 11.4.0.106 (CPython 3.11, Linux). What 11 lacks beside 10 is also in NVIDIA's
"Migrating from TensorRT 10.x to 11.x", Removed Python APIs. The methods ``add_*`` of networks are left out.
"""

from __future__ import annotations

RELEASES = ("8.6", "10.16", "11.4")

_NAMES: dict[str, dict[str, str]] = {
    "tensorrt": {
        "all": (
            "Builder BuilderFlag DataType HardwareCompatibilityLevel IBuilderConfig ICudaEngine IExecutionContext "
            "IHostMemory ILogger INetworkDefinition ITensor ITimingCache MemoryPoolType NetworkDefinitionCreationFlag "
            "OnnxParser ParserError Runtime TensorIOMode __version__"
        ),
        "10.16": "IProgressMonitor",
        "11.4": "IProgressMonitor",
    },
    "ILogger": {
        "all": "ERROR INFO INTERNAL_ERROR Severity VERBOSE WARNING log",
    },
    "Builder": {
        "all": (
            "build_serialized_network create_builder_config create_network create_optimization_profile error_recorder "
            "get_plugin_registry gpu_allocator is_network_supported logger max_DLA_batch_size max_threads "
            "num_DLA_cores reset"
        ),
        "8.6": "build_engine max_batch_size platform_has_fast_fp16 platform_has_fast_int8 platform_has_tf32",
        "10.16": (
            "build_engine_with_config build_serialized_network_to_stream platform_has_fast_fp16 platform_has_fast_int8 "
            "platform_has_tf32"
        ),
        "11.4": "build_engine_with_config build_serialized_network_to_stream",
    },
    "NetworkDefinitionCreationFlag": {
        "all": "name value",
        "8.6": "EXPLICIT_BATCH EXPLICIT_PRECISION",
        "10.16": "EXPLICIT_BATCH PREFER_AOT_PYTHON_PLUGINS PREFER_JIT_PYTHON_PLUGINS STRONGLY_TYPED",
        "11.4": "PREFER_AOT_PYTHON_PLUGINS PREFER_JIT_PYTHON_PLUGINS STRONGLY_TYPED",
    },
    "INetworkDefinition": {
        "all": (
            "builder error_recorder get_input get_layer get_output has_implicit_batch_dimension mark_output "
            "mark_output_for_shapes name num_inputs num_layers num_outputs remove_tensor set_weights_name "
            "unmark_output unmark_output_for_shapes"
        ),
        "8.6": "has_explicit_precision",
        "10.16": (
            "are_weights_marked_refittable flags get_flag is_debug_tensor mark_debug "
            "mark_unfused_tensors_as_debug_tensors mark_weights_refittable unmark_debug "
            "unmark_unfused_tensors_as_debug_tensors unmark_weights_refittable"
        ),
        "11.4": (
            "are_weights_marked_refittable flags get_flag is_debug_tensor mark_debug "
            "mark_unfused_tensors_as_debug_tensors mark_weights_refittable unmark_debug "
            "unmark_unfused_tensors_as_debug_tensors unmark_weights_refittable"
        ),
    },
    "ITensor": {
        "all": (
            "allowed_formats broadcast_across_batch dtype get_dimension_name is_execution_tensor is_network_input "
            "is_network_output is_shape_tensor location name set_dimension_name shape"
        ),
        "8.6": "dynamic_range reset_dynamic_range set_dynamic_range",
        "10.16": "dynamic_range reset_dynamic_range set_dynamic_range",
    },
    "IBuilderConfig": {
        "all": (
            "DLA_core avg_timing_iterations builder_optimization_level can_run_on_DLA clear_flag create_timing_cache "
            "default_device_type engine_capability flags get_device_type get_flag get_memory_pool_limit "
            "get_preview_feature get_tactic_sources get_timing_cache hardware_compatibility_level is_device_type_set "
            "max_aux_streams num_optimization_profiles plugins_to_serialize profile_stream profiling_verbosity reset "
            "reset_device_type set_device_type set_flag set_memory_pool_limit set_preview_feature set_tactic_sources "
            "set_timing_cache"
        ),
        "8.6": (
            "algorithm_selector clear_quantization_flag get_calibration_profile get_quantization_flag int8_calibrator "
            "max_workspace_size min_timing_iterations quantization_flags set_calibration_profile set_quantization_flag"
        ),
        "10.16": (
            "algorithm_selector clear_quantization_flag get_calibration_profile get_quantization_flag int8_calibrator "
            "l2_limit_for_tiling max_num_tactics progress_monitor quantization_flags remote_auto_tuning_config "
            "runtime_platform set_calibration_profile set_quantization_flag tiling_optimization_level"
        ),
        "11.4": (
            "all_build_routes build_route l2_limit_for_tiling max_num_tactics progress_monitor "
            "remote_auto_tuning_config runtime_platform tiling_optimization_level"
        ),
    },
    "BuilderFlag": {
        "all": (
            "DEBUG DIRECT_IO DISABLE_TIMING_CACHE EXCLUDE_LEAN_RUNTIME GPU_FALLBACK REFIT SAFETY_SCOPE SPARSE_WEIGHTS "
            "TF32 VERSION_COMPATIBLE name value"
        ),
        "8.6": (
            "ENABLE_TACTIC_HEURISTIC FP16 FP8 INT8 OBEY_PRECISION_CONSTRAINTS PREFER_PRECISION_CONSTRAINTS "
            "REJECT_EMPTY_ALGORITHMS STRICT_TYPES"
        ),
        "10.16": (
            "BF16 DISABLE_COMPILATION_CACHE DISTRIBUTIVE_INDEPENDENCE EDITABLE_TIMING_CACHE ERROR_ON_TIMING_CACHE_MISS "
            "FP16 FP4 FP8 INT4 INT8 MONITOR_MEMORY OBEY_PRECISION_CONSTRAINTS PREFER_PRECISION_CONSTRAINTS "
            "REFIT_IDENTICAL REFIT_INDIVIDUAL REJECT_EMPTY_ALGORITHMS STRICT_NANS STRIP_PLAN WEIGHTLESS "
            "WEIGHT_STREAMING"
        ),
        "11.4": (
            "DISABLE_COMPILATION_CACHE DISTRIBUTIVE_INDEPENDENCE EDITABLE_TIMING_CACHE ERROR_ON_TIMING_CACHE_MISS "
            "MONITOR_MEMORY REFIT_IDENTICAL REFIT_INDIVIDUAL STRICT_NANS STRIP_PLAN WEIGHT_STREAMING"
        ),
    },
    "MemoryPoolType": {
        "all": "DLA_GLOBAL_DRAM DLA_LOCAL_DRAM DLA_MANAGED_SRAM TACTIC_DRAM WORKSPACE name value",
        "10.16": "TACTIC_SHARED_MEMORY",
        "11.4": "TACTIC_SHARED_MEMORY",
    },
    "HardwareCompatibilityLevel": {
        "all": "AMPERE_PLUS NONE name value",
        "10.16": "SAME_COMPUTE_CAPABILITY",
        "11.4": "SAME_COMPUTE_CAPABILITY",
    },
    "ITimingCache": {
        "all": "combine reset serialize",
        "10.16": "query queryKeys update",
        "11.4": "query queryKeys update",
    },
    "OnnxParser": {
        "all": (
            "clear_errors clear_flag flags get_error get_flag get_used_vc_plugin_libraries num_errors parse "
            "parse_from_file set_flag supports_operator"
        ),
        "8.6": "parse_with_weight_descriptors supports_model",
        "10.16": (
            "get_layer_output_tensor get_subgraph_nodes is_subgraph_supported load_initializer load_model_proto "
            "num_subgraphs parse_model_proto parse_with_weight_descriptors set_builder_config supports_model "
            "supports_model_v2"
        ),
        "11.4": (
            "get_layer_output_tensor get_subgraph_nodes is_subgraph_supported load_initializer load_model_proto "
            "num_subgraphs parse_model_proto set_builder_config supports_model_v2"
        ),
    },
    "ParserError": {
        "all": "code desc file func line node",
        "10.16": "local_function_stack local_function_stack_size node_name node_operator",
        "11.4": "local_function_stack local_function_stack_size node_name node_operator",
    },
    "Runtime": {
        "all": (
            "DLA_core deserialize_cuda_engine engine_host_code_allowed error_recorder get_plugin_registry "
            "gpu_allocator load_runtime logger max_threads num_DLA_cores tempfile_control_flags temporary_directory"
        ),
        "11.4": "dla_workspace_allocation_strategy",
    },
    "ICudaEngine": {
        "all": (
            "create_engine_inspector create_execution_context engine_capability error_recorder "
            "get_tensor_bytes_per_component get_tensor_components_per_element get_tensor_dtype get_tensor_format "
            "get_tensor_format_desc get_tensor_location get_tensor_mode get_tensor_name get_tensor_profile_shape "
            "get_tensor_shape get_tensor_vectorized_dim hardware_compatibility_level is_shape_inference_io name "
            "num_aux_streams num_io_tensors num_layers num_optimization_profiles profiling_verbosity refittable "
            "serialize tactic_sources"
        ),
        "8.6": (
            "binding_is_input create_execution_context_without_device_memory device_memory_size "
            "get_binding_bytes_per_component get_binding_components_per_element get_binding_dtype get_binding_format "
            "get_binding_format_desc get_binding_index get_binding_name get_binding_shape get_binding_vectorized_dim "
            "get_location get_profile_shape get_profile_shape_input has_implicit_batch_dimension is_execution_binding "
            "is_shape_binding max_batch_size num_bindings"
        ),
        "10.16": (
            "create_execution_context_without_device_memory create_runtime_config create_serialization_config "
            "device_memory_size device_memory_size_v2 get_aliased_input_tensor get_device_memory_size_for_profile "
            "get_device_memory_size_for_profile_v2 get_engine_stat get_tensor_profile_values "
            "get_weight_streaming_automatic_budget has_implicit_batch_dimension is_debug_tensor "
            "minimum_weight_streaming_budget serialize_with_config streamable_weights_size weight_streaming_budget "
            "weight_streaming_budget_v2 weight_streaming_scratch_memory_size"
        ),
        "11.4": (
            "create_runtime_config create_serialization_config device_memory_size_v2 get_aliased_input_tensor "
            "get_device_memory_size_for_profile_v2 get_engine_stat get_tensor_profile_values "
            "get_weight_streaming_automatic_budget is_debug_tensor serialize_with_config streamable_weights_size "
            "weight_streaming_budget_v2 weight_streaming_scratch_memory_size"
        ),
    },
    "IExecutionContext": {
        "all": (
            "active_optimization_profile all_binding_shapes_specified debug_sync device_memory engine "
            "enqueue_emits_profile error_recorder execute_async_v3 execute_v2 get_input_consumed_event "
            "get_max_output_size get_output_allocator get_tensor_address get_tensor_shape get_tensor_strides "
            "infer_shapes name nvtx_verbosity persistent_cache_limit profiler report_to_profiler set_aux_streams "
            "set_input_consumed_event set_input_shape set_optimization_profile_async set_output_allocator "
            "set_tensor_address temporary_allocator"
        ),
        "8.6": (
            "all_shape_inputs_specified execute execute_async execute_async_v2 get_binding_shape get_shape get_strides "
            "set_binding_shape set_shape_input"
        ),
        "10.16": (
            "all_shape_inputs_specified get_debug_listener get_debug_state get_runtime_config "
            "set_all_tensors_debug_state set_communicator set_debug_listener set_device_memory set_tensor_debug_state "
            "unfused_tensors_debug_state update_device_memory_size_for_shapes"
        ),
        "11.4": (
            "get_debug_listener get_debug_state get_runtime_config set_all_tensors_debug_state set_communicator "
            "set_debug_listener set_device_memory set_tensor_debug_state unfused_tensors_debug_state "
            "update_device_memory_size_for_shapes"
        ),
    },
    "TensorIOMode": {
        "all": "INPUT NONE OUTPUT name value",
    },
    "DataType": {
        "all": "BOOL FLOAT FP8 HALF INT32 INT8 UINT8 name value",
        "10.16": "BF16 E8M0 FP4 INT4 INT64",
        "11.4": "BF16 E8M0 FP4 INT4 INT64",
    },
    "IHostMemory": {
        "all": "dtype nbytes",
    },
    "Severity": {
        "all": "ERROR INFO INTERNAL_ERROR VERBOSE WARNING name value",
    },
    "IProgressMonitor": {
        "10.16": "phase_finish phase_start step_complete",
        "11.4": "phase_finish phase_start step_complete",
    },
}


def names(owner: str, release: str) -> frozenset[str]:
    """The names of a class, or of the module ``tensorrt``, in a release; none where the release has no such class."""
    return frozenset(f"{_NAMES[owner].get('all', '')} {_NAMES[owner].get(release, '')}".split())


def classes() -> frozenset[str]:
    """The classes that the table has."""
    return frozenset(_NAMES)
