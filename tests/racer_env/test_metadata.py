"""``model_metadata.json`` is read as the original reads it, and written so that the car reads it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_env.car import DEEPRACER_V4, DEEPRACER_V6, ContinuousActions, DiscreteActions
from racer_env.errors import BundleError, MetadataError
from racer_env.inspection import inspect_file, inspect_metadata, sensor_shape
from racer_env.metadata import CAMERAS, DEFAULT_ACTIONS, LIDARS, PRIVILEGED, LidarConfig, ModelMetadata
from racer_env.sensors import find_sensors

LIST = [{"steering_angle": -30, "speed": 0.6, "index": 0}, {"steering_angle": "15", "speed": 1.2}]
DISCRETIZED = {"sensor": ["FRONT_FACING_CAMERA", "DISCRETIZED_SECTOR_LIDAR"]}
BOX = {"steering_angle": {"low": -30, "high": 30}, "speed": {"low": 0.5, "high": 4}}


def parse(**keys: Any) -> ModelMetadata:
    return ModelMetadata.parse(json.dumps({"action_space": LIST} | keys))


def test_what_is_missing_has_the_originals_defaults() -> None:
    oldest = parse()
    assert (oldest.version, oldest.sensors, oldest.training_algorithm) == (1.0, ("observation",), "clipped_ppo")
    assert oldest.neural_network is None
    assert parse(sensor=["FRONT_FACING_CAMERA"]).version == 2.0
    assert parse(version="1", sensor=["STEREO_CAMERAS"]).sensors == ("observation",)


def test_actions_are_taken_as_written_and_other_keys_are_ignored() -> None:
    assert parse(preprocess="GREY_SCALE").actions == DiscreteActions((-30.0, 15.0), (0.6, 1.2))
    box = parse(action_space=BOX, action_space_type="Continuous").actions
    assert box == ContinuousActions((-30.0, 30.0), (0.5, 4.0))


def test_the_version_chooses_the_car_and_may_be_text() -> None:
    assert [parse(version=v).car for v in ("4", 4, "6", 6.0)] == [DEEPRACER_V4] * 2 + [DEEPRACER_V6] * 2


def test_case_and_spaces_do_not_matter_where_they_did_not() -> None:
    assert parse(training_algorithm="Clipped PPO").training_algorithm == "clipped_ppo"
    assert parse(neural_network="deep_convolutional_network").neural_network == "DEEP_CONVOLUTIONAL_NETWORK"


@pytest.mark.parametrize(
    "made",
    [
        ModelMetadata(version=5.0),
        ModelMetadata(ContinuousActions((-20.0, 20.0), (1.0, 3.0)), ("LEFT_CAMERA", "LIDAR"), version=6.0),
        ModelMetadata(DEFAULT_ACTIONS, ("STATE",), version=6.0, lidar={"num_sectors": 8.0}),
    ],
)
def test_reading_undoes_writing(made: ModelMetadata) -> None:
    again = ModelMetadata.parse(made.to_json())
    assert again.to_json() == made.to_json()
    assert (again.actions, again.sensors, again.version, again.lidar) == (
        made.actions,
        made.sensors,
        made.version,
        made.lidar,
    )
    assert isinstance(json.loads(made.to_json())["version"], str)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[1]", "must hold one JSON object, not a list"),
        ("{}", "action_space is missing"),
        ('{"action_space": []}', "action_space must be a list"),
        ('{"action_space": [{"speed": 1}]}', r"action_space\[0\] has no 'steering_angle'"),
        ('{"action_space": [{"speed": 1, "steering_angle": "left"}]}', "'left', but must be a number"),
        ('{"action_space": [{"speed": NaN, "steering_angle": 1}]}', "must be finite"),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_sentence_with_its_name(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "model_metadata.json"
    path.write_text(text)
    with pytest.raises(MetadataError, match=f"{path}:? .*{sentence}") as told:
        ModelMetadata.read(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"sensor": ["FRONT_FACING"]}, "sensor 'FRONT_FACING' does not exist; did you mean 'FRONT_FACING_CAMERA'"),
        ({"sensor": ["LIDAR"]}, "has 0 cameras, but a driver needs exactly one of observation, FRONT_FACING_CAMERA"),
        ({"sensor": ["LEFT_CAMERA", "STEREO_CAMERAS"]}, r"has 2 cameras \(LEFT_CAMERA and STEREO_CAMERAS\), but"),
        ({"sensor": ["LEFT_CAMERA"] * 2}, "has 2 cameras"),
        ({"sensor": ["LEFT_CAMERA", "LIDAR", "SECTOR_LIDAR"]}, r"has 2 LiDARs \(LIDAR and SECTOR_LIDAR\), but"),
        ({"sensor": ["STATE", "LEFT_CAMERA"]}, "mixes STATE with others"),
        (DISCRETIZED | {"lidar_config": {"num_sectors": 7}}, "lidar_config.num_sectors is 7, but must be 1, 2, 4, 8"),
        (DISCRETIZED | {"lidar_config": {"num_sectors": 0}}, "lidar_config.num_sectors is 0, but must"),
        (
            DISCRETIZED | {"lidar_config": {"num_values_per_sector": 0}},
            "num_values_per_sector is 0, but must be a whole",
        ),
        (DISCRETIZED | {"lidar_config": {"clipping_dist": 0.1}}, "clipping_dist is 0.1, but must be 0.15 to 12"),
        (DISCRETIZED | {"lidar_config": [8]}, r"lidar_config is '\[8\]', but must be an object of numbers"),
        ({"training_algorithm": "dqn"}, "training_algorithm is 'dqn'"),
        ({"action_space_type": "continous", "action_space": BOX}, "did you mean 'continuous'"),
        ({"action_space_type": "continuous"}, "must hold steering_angle and speed"),
        (
            {"action_space_type": "continuous", "action_space": {**BOX, "speed": {"low": 2, "high": 2}}},
            "low 2.0 must be less than high 2.0",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MetadataError, match=sentence):
        parse(**{"version": 4} | keys)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("lidar", [None, *LIDARS])
def test_one_camera_and_perhaps_one_lidar_can_be_built(camera: str, lidar: str | None) -> None:
    names = [camera] + ([lidar] if lidar else [])
    metadata = parse(version=5, sensor=names)
    assert [sensor.name for sensor in find_sensors(metadata.sensors, metadata.lidar)] == names


def test_a_lidar_config_is_used_by_the_lidar_that_has_one_and_by_no_other() -> None:
    metadata = parse(version=5, lidar_config={"num_sectors": 16, "clipping_dist": "3"}, **DISCRETIZED)
    assert LidarConfig.of(metadata.lidar) == LidarConfig(16, 8, 3.0)
    assert find_sensors(metadata.sensors, metadata.lidar)[1].space().shape == (128,)
    of_the_car = {"num_sectors": 7, "num_values": 64, "min_angle": -150}
    assert parse(version=5, sensor=["LEFT_CAMERA", "SECTOR_LIDAR"], lidar_config=of_the_car).lidar == of_the_car


def test_a_missing_file_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"model_metadata\.json cannot be read: No such file"):
        ModelMetadata.read(tmp_path / "model_metadata.json")


@pytest.mark.parametrize(
    "raw",
    [
        {"neural_network": "N" * 10**5},
        {"training_algorithm": ["sac"] * 10**5},
        {"version": "9" * 4000},
        {"sensor": {"x": "y" * 10**5}},
        {"sensor": ["CAMERA" * 10**5]},
        {"sensor": ["FRONT_FACING_CAMERA"] * 10**5},
        {"sensor": ["FRONT_FACING_CAMERA"] * 9},
        {"sensor": ["STATE"] * 9},
        {"lidar_config": ["x" * 10**5]},
        {"lidar_config": {"k" * 10**5: "x"}},
        {"action_space": [{"speed" * 10**5: 1}]},
        {"action_space": [{"steering_angle": "x" * 10**5, "speed": 1}]},
    ],
)
def test_what_is_refused_does_not_fill_the_screen(raw: dict[str, Any]) -> None:
    with pytest.raises(MetadataError) as error:
        parse(**raw)
    assert len(str(error.value)) < 800


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(CAMERAS + LIDARS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["steering_angle", "speed", "low", "high", "num_sectors", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
KEYS = [
    "action_space",
    "action_space_type",
    "sensor",
    "version",
    "neural_network",
    "training_algorithm",
    "lidar_config",
]


@settings(max_examples=300, deadline=None)
@given(raw=st.dictionaries(st.sampled_from(KEYS), JSON))
def test_whatever_a_file_holds_is_read_or_refused_in_one_sentence(raw: dict[str, object]) -> None:
    space = {"action_space": [{"steering_angle": 10, "speed": 1}], **raw}
    try:
        metadata = ModelMetadata.parse(json.dumps(space))
        assert ModelMetadata.parse(metadata.to_json()).sensors == metadata.sensors
        inspect_file(json.dumps(space).encode())
        inspect_metadata(metadata)
        assert all(sensor_shape(metadata, sensor) for sensor in metadata.sensors if sensor not in PRIVILEGED)
    except (MetadataError, BundleError) as error:
        assert "\n" not in str(error)  # noqa: PT017
