"""Each rule says its sentence when its evidence is there, and is silent otherwise."""

import pytest

from workbench.comparison.explain import Facts, alarms, why

VNNI = {"architecture": "x86_64", "flags": ["avx2", "avx512f", "avx512_vnni"]}
AMX = {"architecture": "x86_64", "flags": ["avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"]}
OLD = {"architecture": "x86_64", "flags": ["avx2"]}
ARM = {"architecture": "aarch64", "flags": ["asimd"]}


def coverage(quantized, total=36, kind="MatMul"):
    return {"coverage": {kind: {"quantized": quantized, "total": total}}}


def node(kind, seconds, name="n", precision="fp32", provider="CPU"):
    return {"name": name, "type": kind, "precision": precision, "provider": provider, "seconds": seconds}


def test_nothing_known_says_nothing():
    assert why(Facts()) == [] == alarms(Facts())


def test_a_model_without_a_quantized_product_is_an_alarm():
    facts = Facts(audit=coverage(0), said="int8", machine=AMX)
    assert why(facts) == ["0 of 36 MatMuls were quantized: this is not an INT8 model, whatever its name says."]
    assert alarms(facts) == why(facts)
    assert why(Facts(audit=coverage(0), said="fp32", machine=AMX)) == []


def test_what_is_meant_for_another_machine_says_so_first():
    facts = Facts(audit={"measured": "for phones; run here on the CPU"}, said="int8", precision="int8", machine=OLD)
    assert why(facts)[0] == "It is for phones; run here on the CPU."


def test_partial_coverage_is_named():
    both = {"coverage": {"MatMul": {"quantized": 20, "total": 36}, "Conv": {"quantized": 1, "total": 1}}}
    assert why(Facts(audit=both, said="int8", machine=AMX)) == [
        "Only 20 of 36 MatMuls were quantized; the rest run at full precision."
    ]
    assert why(Facts(audit=coverage(36), said="int8", machine=AMX)) == []
    assert why(Facts(audit=coverage(0, 0), said="int8", machine=AMX)) == []


def test_a_precision_that_was_not_asked_for_is_an_alarm():
    facts = Facts(precision="bf16", said="fp32", machine=AMX)
    assert alarms(facts) == ["The runtime ran in bf16 though fp32 was asked for (read back from the loaded model)."]
    assert alarms(Facts(precision="fp32", said="fp32")) == alarms(Facts(precision="fp32", said="int8")) == []


def test_bf16_without_instructions_is_emulated():
    assert "emulated" in why(Facts(precision="bf16", said="bf16", machine=VNNI))[0]
    assert why(Facts(precision="bf16", said="bf16", machine=AMX)) == []
    assert why(Facts(precision="bf16", said="bf16")) == [], "an unknown machine is not accused"


@pytest.mark.parametrize(("machine", "said"), [(OLD, "no VNNI or AMX"), (ARM, "no dot-product or I8MM"), (VNNI, "")])
def test_int8_without_instructions_is_said(machine, said):
    sentences = why(Facts(audit=coverage(36), precision="int8", said="int8", machine=machine))
    assert said in sentences[0] if said else sentences == []


def test_only_what_computes_in_integers_is_slow_there_and_few_bit_products_are_not_said_to_saturate():
    stored = {"coverage": {"MatMul": {"quantized": 0, "total": 36, "weights": 36}}}
    assert not any("VNNI" in said for said in why(Facts(audit=stored, said="int8", machine=OLD)))
    blocks = coverage(36) | {"operators": {"MatMulNBits": 36}}
    assert why(Facts(audit=blocks, precision="int8", machine=OLD)) == [
        "This CPU has no VNNI or AMX: INT8 products take several instructions each."
    ]


def test_pairs_that_did_not_fuse_are_counted_with_their_cost():
    profile = [node("MatMul", 5, precision="int8"), node("QuantizeLinear", 2), node("DequantizeLinear", 3)]
    audit = coverage(36) | {"qdq_pairs": 74, "qdq_unfused": 38}
    assert why(Facts(audit=audit, profile=profile, said="int8", machine=AMX)) == [
        "38 of 74 Q/DQ pairs did not fuse, so values go to INT8 and back there; they cost 50% of the time."
    ]


def test_pairs_that_the_profile_saw_running_did_not_fuse():
    profile = [node("QuantizeLinear", 0.01), node("QuantizeLinear", 0.01), node("QLinearMatMul", 1, precision="int8")]
    said = why(Facts(audit={"qdq_pairs": 74}, profile=profile, said="int8", machine=AMX))
    assert said == ["2 of 74 Q/DQ pairs did not fuse, so values go to INT8 and back there."]


def test_lone_quantize_nodes_are_said_when_pairs_are_unknown():
    profile = [node("FakeQuantize", 3), node("MatMul", 7, precision="int8")]
    assert "run on their own cost 30% of the time" in why(Facts(profile=profile, said="int8", machine=AMX))[0]


def test_the_price_of_dynamic_ranges_is_said():
    profile = [node("DynamicQuantizeLinear", 2), node("MatMulInteger", 8, precision="int8")]
    assert why(Facts(profile=profile, said="int8", machine=AMX)) == [
        "Finding the range of activations at every call (DynamicQuantizeLinear) costs 20% of the time."
    ]


def test_casts_are_said_when_they_cost_something():
    profile = [node("aten::_to_copy", 2), node("aten::addmm", 8, precision="bf16")]
    said = why(Facts(profile=profile, precision="bf16", said="bf16", machine=AMX))
    assert said == ["Conversions between number formats or layouts cost 20% of the time."]
    cheap = [node("Cast", 0.1), node("MatMul", 9, precision="bf16")]
    assert why(Facts(profile=cheap, precision="bf16", machine=AMX)) == []


def test_an_fp32_fallback_is_named():
    one = [node("MatMul", 4, "/attention/MatMul_1"), node("MatMulInteger", 6, precision="int8")]
    assert why(Facts(profile=one, said="int8", machine=AMX)) == [
        "The fp32 fallback of MatMul /attention/MatMul_1 costs 40% of the time."
    ]
    two = [*one, node("Gemm", 2, "/head/Gemm")]
    assert "2 operators such as /attention/MatMul_1" in why(Facts(profile=two, said="int8", machine=AMX))[0]
    assert why(Facts(profile=one, said="fp32", machine=AMX)) == []


def test_operators_on_another_provider_are_said():
    profile = [node("Conv", 7, provider="GPU"), node("Loop", 2), node("Where", 1)]
    facts = Facts(profile=profile, said="fp32", placement={"GPU": 30, "CPU": 2})
    assert why(facts) == ["2 operators outside GPU cost 30% of the time."]
    assert why(Facts(profile=profile, said="fp32")) == [], "kernels of one provider are no placement"


def test_missing_fusions_are_said_unless_the_row_is_faster():
    made = {"operators": {"Softmax": 6, "MatMul": 36}, "fused": {}}
    said = ["The runtime fused no operators: 6 attention blocks run as separate operators."]
    assert why(Facts(audit={"optimized": made}, verdict="slower")) == said
    assert why(Facts(audit={"optimized": made}, verdict="faster")) == []
    assert why(Facts(audit={"optimized": made | {"fused": {"Gelu": 6}}}, verdict="slower")) == []
    assert why(Facts(audit=made, verdict="slower")) == [], "the file alone does not say what the runtime fuses"


def test_it_is_said_where_only_batches_keep_a_device_busy():
    said = "Batches pay here: 64 at a time it is 21.0x as fast as the baseline, 1 at a time 1.27x."
    assert why(Facts(speedup=1.27, together=(64, 21.0, 19.5))) == [said]
    assert why(Facts(speedup=1.27, together=(8, 2.6, 2.5))) == [], "not for certain twice as much"
    assert why(Facts(speedup=1.27)) == []


def test_a_call_far_from_any_limit_is_bound_by_overhead():
    audit = {"operators": {"MatMul": 60, "Add": 152}}
    facts = Facts(audit=audit, verdict="no_clear_difference", compute_share=0.02, limit_share=0.03)
    assert why(facts) == [
        "Batch 1 is bound by overhead: 212 operator starts a call; arithmetic could be done in 2.0% of the time."
    ]
    assert why(Facts(verdict="faster", compute_share=0.02, limit_share=0.03)) == []


def test_a_call_near_a_limit_says_which():
    assert "reading the weights" in why(Facts(compute_share=0.1, limit_share=0.8))[0]
    assert "arithmetic at full speed" in why(Facts(compute_share=0.8, limit_share=0.8))[0]
    assert why(Facts(compute_share=0.3, limit_share=0.3)) == []
